// Package engine is a node: it checks a configuration, wires the parts together,
// and takes the node through its life.
//
//	config.go         every setting: groups, which stand beside what they set
//	check.go          what settings must be together, checked before the first socket opens
//	addresses.go policies.go inherited.go
//	                  the same for addresses, policies of topics, and sockets that were passed
//	budget.go         what all bounds together cost
//	withouteffect.go  settings that do nothing, because of another one
//	inforce.go        the settings in force, for the log
//	engine.go         New, Start, Drain, Close
//	source.go         where events come from
//	history.go        what outlasts the process
//	metrics.go        what /metrics says
//	metrichelp.go     … and what it means
//	watch.go          readiness, memory, whether the shards turn
//
// The parts: intake accepts connections and makes streams of them, shard (outside
// of this tree) holds the streams and the topics, fanin is where events come from,
// httpapi is everything that net/http serves, auth decides which clients may do what,
// state keeps a file for the next process.
package engine
