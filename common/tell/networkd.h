/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_NETWORKD_H
#define MWAN_TELL_NETWORKD_H

#include <stdbool.h>

/* Does systemd-networkd run here, which at its next start will delete the
 * routes (ManageForeignRoutes=) or rules (ManageForeignRoutingPolicyRules=)
 * that it did not make? Read networkd.conf and networkd.conf.d in all their
 * places, such as /etc/systemd.
 */
void networkd_read(bool *deletes_routes, bool *deletes_rules);

#endif
