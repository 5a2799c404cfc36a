// Package fanin is where events come from. A [Source] takes published events, gives them their ids
// and sees to it that they are appended to the logs of the shards. [Memory] is the embedded one:
// history lives in those logs and nowhere else, and no other server is needed.
package fanin
