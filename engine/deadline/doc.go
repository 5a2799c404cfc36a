// Package deadline has deadlines of connections count only time in which the process ran. While it is stopped (SIGSTOP, a machine
// that is suspended or moved, no processor) its clients can do nothing about their deadlines; what they send waits in the kernel, and
// is taken before a deadline is held against them.
package deadline
