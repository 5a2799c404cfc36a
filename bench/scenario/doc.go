// Package scenario is what ssedge bench can do to a server. A scenario opens streams, publishes,
// watches the server, and returns a result.Result; none of them knows which server it is.
//
//	hold       opens streams and holds them
//	fanout     publishes to them at a rate, or flat out
//	isolation  times events of one subscriber while others get broadcasts
//	storm      drops all streams at once and resumes them
//	slow       lets a share of the streams read badly
//	idle       watches heartbeats
//	compare    does all that to ssedge, to a net/http twin and to the bare send loop, in turn
//	growth     does it at several sizes
//
// A scenario whose context ends stops what it is doing and returns the figures so far. An error is
// something that kept it from measuring; what is wrong with the server is a fault of the result.
package scenario
