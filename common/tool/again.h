/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_AGAIN_H
#define MWAN_TOOL_AGAIN_H

/* Show again and again what @look prints: every @seconds and whenever an
 * interface or an address changes, at most five times a second. A terminal is
 * drawn anew until the user presses q; to a pipe or a file one print follows
 * the other until nobody reads any more. Each look is a process of its own,
 * which takes with it what it has read and opened and whatever goes wrong.
 * Returns the last one's exit status; -1: it did not end well.
 */
int again_show(int (*look)(void *of), void *of, unsigned int seconds);

#endif
