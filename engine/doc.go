// Package engine is a node: it checks a configuration, wires the parts together,
// and takes the node through its life.
//
//	config.go         every setting: groups, which stand beside what they set
//	check.go          what settings must be together, checked before the first socket opens
//	withouteffect.go  settings that do nothing, because of another one
//	inherited.go      what is checked of sockets that were passed to the process
//	engine.go         New, Start, Drain, Close
//	metrics.go        what /metrics says
//	metrichelp.go     … and what it means
//	watch.go          readiness, memory, whether the shards turn
//
// The parts: intake accepts connections and makes streams of them, shard (outside
// of this tree) holds the streams and the topics, fanin is where events come from,
// httpapi is everything that net/http serves, auth decides which clients may do what.
package engine
