// Package memory knows how much memory this process takes, and how much it may take.
//
// What counts ([Usage.InUse]) is what Go has from the system and cannot give back: objects, the
// unused parts of spans that have some, stacks, and the runtime's own structures. What Go holds
// unused (memory/classes/heap/free of runtime/metrics) does not count: it can be given back. The
// program's text and what it maps from files do not count either: the system takes them back by
// itself. Sockets are the kernel's memory.
//
// Garbage counts until it is collected. An idle process collects none for two minutes, so a [Watch]
// has it collected before it says that there is too much: for at most a tenth of the time or, if it
// takes long, every two seconds.
//
//	usage.go  what there is
//	watch.go  whether it is too much
//	limit.go  what the machine allows: GOMEMLIMIT, cgroups, rlimits
//
// Rejected: resident memory, because an idle server was refused streams for what a burst had left.
// GOMEMLIMIT in place of a watch, or set from --memory-max: if what is in use is really that much,
// the collector takes up to half of the processor for nothing, since streams that are refused make
// it no smaller.
package memory
