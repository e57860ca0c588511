/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_PPPD_H
#define MWAN_KERNEL_PPPD_H

#include <net/if.h>

enum { PPPD_LINKNAME = 32 };

/* Which interface has the session that pppd knows by "linkname @linkname"? pppd
 * writes it to ppp-LINKNAME.pid before the interface is up, removes that before
 * the interface goes, and lets nobody but root choose the name. Returns 0 with
 * @ifname; -ENOENT: it has none, or no pppd of that name runs; or another
 * negative errno: it cannot be known (not even by root: the file is not
 * root's alone, -EPERM).
 */
int pppd_interface(const char *linkname, char ifname[IFNAMSIZ]);

#endif
