package log

import (
	"fmt"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

func id(ms uint64) eventid.ID { return eventid.ID{MS: ms} }

// eventBody is an event whose data is a number.
func eventBody(ms uint64) []byte {
	return sse.AppendBody(nil, &sse.Event{Data: fmt.Append(nil, ms)})
}

// placedAfter is a foreign log.
func placedAfter(lost eventid.ID) *Log {
	l := NewForeign()
	l.BeginAt(lost)
	return &l
}
