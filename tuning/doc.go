// Package tuning is the doctor behind `ssedge tune`: it reads a host, computes what a number of
// streams needs of it, and says what falls short, why, and how to change it ([Examine]). [Apply]
// changes kernel settings, and [Undo] takes that back.
//
//	host.go       the host, as it is
//	need.go       the load, and what it takes
//	rules.go      kernel settings that may have to be changed
//	left.go       those that people change, and need not
//	check.go      a rule held against a host
//	about.go      what a finding is about besides: kernel, unit, cgroup, NUMA
//	examine.go    all findings: files, memory, limits, Go
//	container.go  whose a setting is, and the forms of Docker and Kubernetes
//	print.go      the table
//	dropin.go     the drop-in file for /etc/sysctl.d
//	apply.go      changing what falls short; kernel.go, limits.go: settings, logins
//	saved.go      what was there before; undo.go: and is again
//
// A [Host] is read from a file system, so that a host of a test is a directory. No limit is
// lowered. Its functions may be called from any goroutine, but one Apply or Undo at a time.
package tuning
