package shard

import (
	"testing"

	"ssedge/proto/eventid"
	"ssedge/shard/sys/fake"
	"ssedge/shard/topic"
)

func TestASkipIsToldAndAForkIsNot(t *testing.T) {
	for _, topics := range []string{"a", "a,b"} {
		r, u := fed(t, patient(), topic.Config{})
		c := r.join(topics, "", fake.Unlimited)
		r.settle()
		for _, f := range u.feeds {
			f.Place(eventid.After(id(100)), id(50))
		}
		r.settle()
		feed := u.feeds["a"]
		feed.add(101, 105)
		r.settle()
		feed.Fork(id(101))
		feed.add(103)
		r.settle()
		c.want("101", "105", "103")
		slow := r.join(topics, c.decoder.LastEventID(), 0)
		r.settle()
		feed.Skip(id(103), id(200))
		feed.add(201)
		r.settle()
		c.want("101", "105", "103", "gap:missed", "201")
		if g := parseGap(t, c.messages[3]); *g.From != "103-0" || *g.To != "200-0" {
			t.Errorf("the gap is from %s to %s", *g.From, *g.To)
		}
		resumed := r.join(topics, c.decoder.LastEventID(), fake.Unlimited)
		feed.add(202)
		r.settle()
		resumed.want("202")
		slow.sock.Free(fake.Unlimited)
		r.settle()
		slow.want("gap:missed", "201", "202")
		if topics == "a" {
			late := r.join("a", "103-0", fake.Unlimited)
			r.settle()
			late.want("gap:missed", "201", "202")
			if len(feed.asks) != 0 {
				t.Errorf("asked %v", feed.asks)
			}
		}
	}
}
