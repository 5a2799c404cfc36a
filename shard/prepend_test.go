package shard

import (
	"testing"

	"ssedge/shard/log"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

// A log that has let events go takes no older ones: streams have stood at their positions, and may
// still. Nor does one that does not begin where the reader thought.
func TestPositionsAreNotGivenTwice(t *testing.T) {
	r, u := fed(t, patient(), topic.Config{Retention: log.Retention{Events: 3}})
	_, feed := placed(r, u)
	below, _, _ := feed.Span()
	older := []log.Older{{ID: id(95), Body: eventBody(95)}, {ID: id(100), Body: eventBody(100)}}
	feed.add(101)
	if feed.Prepend(older, id(90), id(99)) {
		t.Error("it was extended from where it does not begin")
	}
	if !feed.Prepend(older, id(90), below) {
		t.Error("it was not extended")
	}
	slow := r.join("a", "90-0", fake.Unlimited)
	r.settle()
	slow.want("95", "100", "101")
	slow.sock.Room = 0
	feed.add(102)
	r.settle()
	feed.AppendRaw(eventBody(1))
	feed.add(103, 104, 105) // the slow one is overrun
	lost, _, _ := feed.Span()
	if feed.Prepend([]log.Older{{ID: id(90), Body: eventBody(90)}}, id(80), lost) {
		t.Error("it was extended though events are gone")
	}
	slow.sock.Free(fake.Unlimited)
	r.settle()
	slow.want("95", "100", "101", "gap:overrun", "103", "104", "105")
}
