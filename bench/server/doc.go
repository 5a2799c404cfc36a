// Package server starts the servers that ssedge bench brings along, each as a child process on free
// loopback ports: ssedge itself, the net/http twin, and the bare send loop. All are the same
// program with other arguments.
package server
