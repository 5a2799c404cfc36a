// Package envelope is the form in which an event travels through a broker: what a
// publish script sends to a channel and an edge takes from it.
//
//	0x00 "s1" SP id SP prev SP bytes-of-event [SP retry] LF event data
//	0x00 "s2" SP id SP prev SP bytes-of-event SP bytes-of-topic [SP retry] LF topic event data
//
// id and prev are event ids (package eventid): the event's own, and that of the one before it in
// its topic, 0-0 if there is none. By prev a receiver knows whether it has missed something. The
// name of the event and its data follow as they are, of any bytes; retry is the reconnection time
// that comes with it, in milliseconds. s2 is for channels that several topics share. The envelope
// does not check events: receivers hold what they take out of it to package rule.
//
// A message that does not begin with a zero byte is no envelope: all of it is the data
// of an event without name and id, as `redis-cli PUBLISH sse:news hello` sends it. The
// character after the zero byte, and the digit after that, are the version: a receiver
// that finds another one refuses the message instead of misreading it.
//
// Everything here is safe from any goroutine and keeps nothing of its input.
package envelope
