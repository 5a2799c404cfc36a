// Command rows measures what ssedge promises, a table row at a time, and beside it the two servers that frame it: the
// bare C send loop in bench/limit, which is what the kernel charges, and the net/http server in bench/twin, which is
// what the simple form costs.
//
//	go build -o bin/ssedge ./cmd/ssedge
//	go run ./bench/rows --ssedge bin/ssedge --out bench/results/today
//	go run ./bench/rows --ssedge bin/ssedge --rows fanout,accept --rounds 7
//	go run ./bench/rows --quick
//
// Every trial starts a fresh server as a child process on free loopback ports, lets a few hundred streams come and
// go so that its code and pools are warm, drives it from this process and reads the child's CPU time and memory from
// /proc. This process receives on --client-threads epoll threads (one by default): it shares the machine with the
// server, so what it burns is not free, which is why CPU is charged per event and rates are quoted as they are.
// On loopback the kernel delivers a packet in the context of whoever sends it: the sender's CPU time includes the
// receiver's half of the TCP stack, for every server alike. Absolute times wander; the ratios are taken between trials
// of the same run that alternate, as ratio of medians and the spread of the ratios of single rounds.
//
// The rows:
//
//	memory     PSS of the server --idle-wait after the last accept, less its PSS just before the first, at several
//	           numbers of streams: bytes per stream are the slope, the fixed cost is the intercept (least squares).
//	           All on one topic, and each on its own.
//	accept     server CPU per accepted stream, as fast as 256 connections in flight go.
//	fanout     server CPU per delivered event; each broadcast is complete before the next is published.
//	flood      delivered events per second with publishers flat out, one event per request, and NDJSON batches.
//	isolation  latency on a topic with one subscriber while another topic is broadcast to all the other streams.
//	heartbeat  server CPU per heartbeat of idle streams.
//
// What was delivered is verified on every stream (see bench/load); a line that ends in NOT EXACT is no result.
package main
