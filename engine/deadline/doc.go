// Package deadline has deadlines of connections count only time in which the process ran. While it
// is stopped (SIGSTOP, a suspended or migrated machine, no processor), clients cannot meet a
// deadline. What they have sent waits in the kernel, and is read before a deadline expires.
package deadline
