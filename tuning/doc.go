// Package tuning is the doctor behind `ssedge tune`: it reads a host, computes what a number of streams needs of
// it, and says what falls short, why, and how to change it ([Examine]). [Apply] changes kernel settings, and
// [Undo] takes that back.
//
// A [Host] is read from a file system, so that a host of a test is a directory. Nothing here lowers a value.
package tuning
