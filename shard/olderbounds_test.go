package shard

import (
	"bytes"
	"testing"

	"ssedge/proto/eventid"
	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// What a full socket does not take of older events is not copied, but for the rest of one event or
// one unit: a reading has 64 KiB, and there may be very many slow streams. A long event is kept
// whole, as no log has it, and all that is kept is charged.
func TestOlderEventsOfAFullSocketKeepLittle(t *testing.T) {
	oneGoroutine(t)
	for _, wire := range lasting() {
		for _, size := range []int{1000, restCopyMax - 64, restCopyMax + 64, unitMax + 64,
			200 << 10} {
			all := make([]uint64, max(3, 64<<10/size))
			for n := range all {
				all[n] = uint64(n + 1)
			}
			body := sse.AppendBody(nil, &sse.Event{Data: bytes.Repeat([]byte("x"), size)})
			bound := map[bool]int64{true: restCopyMax, false: int64(len(body)) +
				64}[size < restCopyMax]
			if wire == WireChunk {
				bound = max(bound, unitMax+headMax+2) + max(0, int64(len(body)-unitMax))
			}
			for _, room := range []int{0, 100, 400, 1000, 10_000, 100_000} {
				r, feed := trimmed(t)
				c := &client{r: r, topics: []string{"a"}, wire: wire}
				c.connect("0-1", room, 0)
				r.settle()
				feed.Answer(feed.last, eventid.ID{})
				r.settle()
				most := int64(0)
				for tries := 0; len(c.data()) < len(all)+4; tries++ {
					// those, a gap, and three of the log
					if tries == 10_000 {
						t.Fatalf("wire %d, events of %d, room %d: %d came", wire, size, room,
							len(c.data()))
					}
					if len(feed.reads) > 0 {
						read := feed.reads[0]
						feed.reads = feed.reads[1:]
						var events []log.Older
						for _, n := range all[min(int(read.From.ID.MS), len(all)):] {
							events = append(events, log.Older{ID: id(n), Body: body})
						}
						if len(events) == 0 {
							events = []log.Older{{ID: id(102)}} // then the log's
						}
						read.Got(events)
					}
					r.settle()
					most = max(most, r.rests.Load())
					c.sock.Free(7001)
					r.settle()
					c.read()
				}
				if most > bound || most == 0 && room < size {
					t.Errorf("wire %d, events of %d, room %d: kept %d bytes, expected up to %d",
						wire, size, room, most, bound)
				}
				if n := r.rests.Load(); n != 0 {
					t.Errorf("wire %d, events of %d, room %d: %d bytes are still charged", wire,
						size, room, n)
				}
			}
		}
	}
}

// Where there is no room for the rest of a long older event, the stream ends, and nothing is kept.
func TestOlderEventsCountAsRest(t *testing.T) {
	c := patient()
	c.RestBytes = 100 << 10
	for size, reason := range map[int]CloseReason{50 << 10: ClosedClientGone,
		200 << 10: ClosedOverload} {
		r, u := fed(t, c, topic.Config{Retention: log.Retention{Events: 3}})
		_, feed := placed(r, u)
		feed.add(101, 102, 103, 104, 105)
		r.settle()
		s := r.join("a", "0-1", 1000)
		r.settle()
		feed.Answer(feed.last, eventid.ID{})
		r.settle()
		body := sse.AppendBody(nil, &sse.Event{Data: bytes.Repeat([]byte("x"), size)})
		feed.reads[0].Got([]log.Older{{ID: id(1), Body: body}})
		r.settle()
		if reason == ClosedClientGone {
			if n := r.rests.Load(); n < int64(size)-1000 {
				t.Errorf("%d bytes are charged", n)
			}
			s.sock.HangUp()
			r.settle()
		}
		s.endedWith(reason)
		if n := r.rests.Load(); n != 0 {
			t.Errorf("%d bytes are still charged", n)
		}
	}
}
