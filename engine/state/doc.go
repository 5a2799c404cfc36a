// Package state keeps what a node holds in a directory, over the end of its process.
//
//	settings.go   what can be set
//	dir.go        a directory that one process has for itself
//	write.go      a file is written whole, or the one before stays
//	read.go       a file is read whole, or put aside
//
// A directory has these files, all of them only for their owner:
//
//	lock          held for as long as a process uses the directory; its process id
//	history       what was written last
//	history.used  the same, once a process has begun to serve with it
//	history.new   one that is being written
//	history.bad-… one that could not be read, with the time at which it was put aside
//
// A file is a header, sections of records, and a checksum (CRC-64, ECMA) over both:
//
//	header = "ssedge history\n" version clean time    15, 1, 1 and 8 bytes, big-endian
//	record = length bytes                             the length, a varint, is at least 1
//	section = record… 0
//
// What a record says is for those who write and read the sections. A file is clean if nothing has
// happened since it was written: the flag says that of its process, the name history of later ones.
package state
