/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much longer than on an ordinary kernel everything may take here. */
#ifndef PATIENCE_H
#define PATIENCE_H

/** patience() - Factor for time limits, from VPMEM_PATIENCE; 1 by default. */
unsigned int patience(void);

#endif /* PATIENCE_H */
