/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_NOTIFY_H
#define HTTP_NOTIFY_H

/* Tells systemd, when it asked to be told (sd_notify(3)): "READY=1" … */
void notify(const char *state);

#endif
