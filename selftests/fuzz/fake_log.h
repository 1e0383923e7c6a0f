/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMM's log, played by a fuzzer: lines are counted and not shown. */
#ifndef FUZZ_FAKE_LOG_H
#define FUZZ_FAKE_LOG_H

/** fuzz_log_take() - Number of errors logged since the last call. */
unsigned int fuzz_log_take(void);

#endif /* FUZZ_FAKE_LOG_H */
