package redis

import (
	"testing"

	"github.com/redis/rueidis"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
)

// stream is what the servers have of a topic, oldest first.
type stream []rueidis.XRangeEntry

// chain is a stream in which each event follows the one before it. The first id is that of an event that is gone.
func chain(ids ...uint64) (all stream) {
	for k, ms := range ids[1:] {
		all = append(all, rueidis.XRangeEntry{ID: id(ms).String(), FieldValues: map[string]string{"p": id(ids[k]).String(), "d": "x"}})
	}
	return all
}

// upTo is the ids first to last, one a millisecond.
func upTo(first, last uint64) (ids []uint64) {
	for ms := first; ms <= last; ms++ {
		ids = append(ids, ms)
	}
	return ids
}

// answer reads all that a feed wants to have read.
func (s stream) answer(t *testing.T, f *feed) {
	t.Helper()
	for range 1000 {
		r := f.next(f.source.only)
		if r.kind == nothing {
			return
		}
		var got []rueidis.XRangeEntry
		for k := range s {
			e := s[k]
			if r.backward {
				e = s[len(s)-1-k]
			}
			if at, _ := eventid.Parse([]byte(e.ID)); within(at, r.first, r.last) && len(got) < r.count {
				got = append(got, e)
			}
		}
		r.read(got)
	}
	t.Fatal("the reading does not end")
}

// within reports whether an id lies between the bounds of a command.
func within(at eventid.ID, first, last string) bool {
	bound := func(text string) (id eventid.ID, open bool) {
		if text[0] == '(' {
			text, open = text[1:], true
		}
		id, _ = eventid.Parse([]byte(text))
		return id, open
	}
	if first != "-" {
		if id, open := bound(first); at.Less(id) || open && at == id {
			return false
		}
	}
	if last != "+" {
		if id, open := bound(last); id.Less(at) || open && at == id {
			return false
		}
	}
	return true
}

// comes is a message of an event that comes through the channel.
func (f *feed) comes(ms, prev uint64) {
	f.receive(string(envelope.Append(nil, &envelope.Message{ID: id(ms), Prev: id(prev), Data: []byte("x")})))
}

// reconnects is a connection that was lost and made anew.
func (f *feed) reconnects() {
	f.lostBy(f.source.only)
	f.subscribed(f.source.only, f.epoch)
}
