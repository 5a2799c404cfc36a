// Package redis feeds the topics of a node from Redis (or Valkey): standalone, with Sentinel,
// or a cluster. Many edges have the same topics, and a client may come back to any of them.
//
// A topic is a channel and, of the same name, a stream: its history. Publishing is one script
// that adds to the stream and sends the event to the channel ([Source.Publish], publish.lua).
// The stream's ids are the events' ids. Each event also has the id of the one before it, so
// an edge knows whether it has missed one.
//
// An edge subscribes to a topic's channel when a client subscribes to the topic, and only then
// looks at the stream's end: what is published later comes through the channel. Whenever the edge
// is in doubt (a connection broke, a slot moved, an event's predecessor is not the one that it
// knows), it reads the stream from the last event that it has. A client that resumes from before
// the node's history makes it read back. All that is decided in [ssedge/engine/fanin/redis/feed], a
// state machine for each topic. This package does the rest: a [follower] runs a topic's machine
// under its lock and is its host, and a [node] brings it messages and has its readings done.
//
// Connections to the servers: one client for commands, and one dedicated connection per master for
// subscriptions ([node]), on which nothing else is sent.
package redis
