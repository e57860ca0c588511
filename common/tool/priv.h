/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_PRIV_H
#define MWAN_TOOL_PRIV_H

#include "base/err.h"

/* Give up, for good, every capability but CAP_NET_ADMIN; no execve(2) brings
 * one back: all that these programs do in the kernel, also below /proc/sys/net,
 * asks for that one (net/sysctl_net.c, net_ctl_permissions()), and root's files
 * stay root's. A caller that lacks even CAP_NET_ADMIN stays without it. Returns
 * 0, or a negative errno with a sentence; the caller may go on.
 */
int priv_drop(struct err *err);

/* The same for mwan-rules watch, which keeps CAP_NET_RAW as well: for the packets
 * that it asks with.
 */
int priv_drop_to_ask(struct err *err);

#endif
