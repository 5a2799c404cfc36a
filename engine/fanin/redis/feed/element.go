package feed

import (
	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
)

// Element is an element of a stream. A bad one was not written by the publish script: nothing but
// its id can be relied on, and it can only be told as missing.
type Element struct {
	envelope.Message
	Bad bool
}

// unfitRetry stands for a reconnection time that breaks the rule: the event is not fit to be sent.
const unfitRetry = -1

// Parse reads an element as the publish script writes it. It is false if not even the id can be
// read.
func (c *Config) Parse(id string, fields map[string]string) (Element, bool) {
	data, hasData := fields["d"]
	e := Element{Message: envelope.Message{Event: []byte(fields["e"]), Data: []byte(data)}}
	var ok, prevOK bool
	e.ID, ok = eventid.Parse([]byte(id))
	e.Prev, prevOK = eventid.Parse([]byte(fields["p"]))
	if retry := fields["r"]; retry != "" {
		ms, err := c.Rule.ParseRetry([]byte(retry))
		if err != nil {
			ms = unfitRetry
		}
		e.RetryMS = ms
	}
	e.Bad = !prevOK || !hasData || e.ID.IsBound()
	return e, ok
}

// size is what the element would take in a log, in bytes, about. An empty one takes some, too.
func (e *Element) size() int { return 32 + len(e.Event) + len(e.Data) }
