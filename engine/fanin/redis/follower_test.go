package redis

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/redis/rueidis"

	"ssedge/engine/fanin/redis/feed"
	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// followed is the follower of a topic whose log is live behind event 100, of servers that are not
// there: tests say what was read.
func followed(t testing.TB) *follower {
	t.Helper()
	s := &Source{config: Config{
		Settings:     Settings{Shared: Shared{TTL: time.Hour}, CatchUpRate: 1000},
		HistoryBytes: 1 << 20,
		Rule:         rule.Limits{EventBytes: 1 << 10},
		Logger:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, target: &target{}, counts: newCounts(), nodes: map[string]*node{}}
	s.times, s.feeds = &s.clock, s.config.feedConfig()
	s.leavers.wake = make(chan struct{}, 1)
	s.only = newNode(s, "", "probe", func() rueidis.Client { return nil })
	s.table = topic.New(topic.Config{HistoryMax: 1 << 30, TopicsMax: 10, Upstream: s})
	topic, err := s.table.Acquire([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	f := topic.Feed().(*follower)
	f.becomesLive(t)
	return f
}

// becomesLive has the channel subscribed, and the stream's newest event be 100.
func (f *follower) becomesLive(t testing.TB) {
	n := f.source.only
	f.subscribed(n, f.feed.Epoch())
	<-n.fetches.wake
	n.fetches.take(1, true)
	r, _ := f.next(n)
	if r.answer(elements(100, 95)); !f.feed.Settled() {
		t.Errorf("the feed is %s", f.feed.State())
	}
}

func id(ms uint64) eventid.ID { return eventid.ID{MS: ms} }

// elements are those of a stream, each behind the one that stands after it here.
func elements(ids ...uint64) (all []rueidis.XRangeEntry) {
	for i, ms := range ids[:len(ids)-1] {
		all = append(all, rueidis.XRangeEntry{
			ID:          fmt.Sprint(ms, "-0"),
			FieldValues: map[string]string{"p": fmt.Sprint(ids[i+1], "-0"), "d": fmt.Sprint(ms)},
		})
	}
	return all
}

// message is a message of an event.
func message(ms, prev uint64) string {
	e := envelope.Message{ID: id(ms), Prev: id(prev), Data: []byte("x")}
	return string(envelope.Append(nil, &e))
}

// followerBytes is the size class of 72 bytes: so much a followed topic takes beside its log.
const followerBytes = 80

// A million topics may be followed, and most of them are quiet.
func TestAFollowerIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(follower{}); n > followerBytes {
		t.Errorf("a follower takes %d bytes, expected at most %d", n, followerBytes)
	}
}

// A message that comes in while its topic is live allocates nothing, but for what the log grows by.
func TestAMessageAllocatesNothing(t *testing.T) {
	f := followed(t)
	const runs = 2000
	var texts []string
	for ms := uint64(101); ms <= 101+runs+1; ms++ {
		texts = append(texts, message(ms, ms-1))
	}
	n := 0
	if allocs := testing.AllocsPerRun(runs, func() { f.receive(texts[n]); n++ }); allocs > 0 {
		t.Errorf("%g allocations a message, expected none", allocs)
	}
	if _, last, _ := f.topic.Span(); last != id(100+uint64(n)) {
		t.Errorf("the newest event is %v after %d messages", last, n)
	}
}

// What comes for a topic that was forgotten is not added: nothing would ever let it go again.
func TestNothingIsAddedToAForgottenTopic(t *testing.T) {
	f := followed(t)
	table, topic := f.source.table, f.topic
	topic.Append(id(101), []byte("data: x\n"))
	table.Release(topic)
	for range 8 { // more idle topics than there may be
		other, err := table.Acquire([]byte(fmt.Sprint("other", table.Topics())))
		if err != nil {
			t.Fatal(err)
		}
		table.Release(other)
	}
	if !f.isGone() {
		t.Fatal("it was not forgotten")
	}
	topic.Append(id(102), []byte("data: y\n"))
	topic.AppendRaw([]byte("data: z\n"))
	f.receive(message(102, 101))
	if n := table.HistoryBytes(); n != 0 {
		t.Errorf("%d bytes are held", n)
	}
}

// A feed that moves to another node is read there, though it is still queued at the one before.
func TestAFeedThatMovesIsReadThere(t *testing.T) {
	f := followed(t)
	f.recheck() // queues it
	there := newNode(f.source, "there", "probe", nil)
	f.moveTo(there)
	f.subscribed(there, f.feed.Epoch())
	if _, ok := f.next(f.source.only); ok {
		t.Error("it is read where it was")
	}
	if batch, _ := there.fetches.take(10, true); len(batch) != 1 || batch[0] != f {
		t.Fatalf("%d are queued at the other node, expected 1", len(batch))
	}
	if _, ok := f.next(there); !ok {
		t.Error("it is not read at the other node")
	}
}

// Publishers acknowledge while topics come, get events, and are forgotten.
func TestAcknowledgedWhileTopicsAreForgotten(t *testing.T) {
	s := followed(t).source
	s.table = topic.New(topic.Config{
		HistoryMax: 3000, TopicsMax: 12, Upstream: s, Retention: log.Retention{Events: 5},
	})
	var group sync.WaitGroup
	for g := range uint64(4) {
		group.Go(func() {
			for k := uint64(101); k < 2000; k++ {
				name := fmt.Sprint("t", (k+g)%20)
				if topic, err := s.table.Acquire([]byte(name)); err == nil {
					f := topic.Feed().(*follower)
					if epoch, ok := f.joins(s.only); ok {
						f.subscribed(s.only, epoch)
						if r, ok := f.next(s.only); ok {
							r.answer(elements(100, 95))
						}
					}
					s.sending(name).acknowledged(id(k))
					if _, last, _ := topic.Span(); k%3 != 0 {
						f.receive(message(max(k, last.MS+1), last.MS))
					}
					if k%5 == 0 {
						f.run(func(m feed.Machine) { m.Wake(feed.LookPublished) })
					}
					s.table.Release(topic)
				}
				s.sending(fmt.Sprint("t", k%20)).acknowledged(id(k + 1))
				if k%7 == 0 {
					s.unfollowLeavers()
				}
			}
		})
	}
	group.Wait()
	s.unfollowLeavers()
	feeds := int64(0)
	for k := range s.counts.states {
		feeds += s.counts.states[k].Load()
	}
	if topics := int64(len(s.followers())) + 1; feeds != topics { // and that of the table before
		t.Errorf("%d feeds are counted of %d topics", feeds, topics)
	}
}

// An id of the far future is no negative lag.
func TestTheLagOfAnEventOfTheFuture(t *testing.T) {
	c := newCounts()
	c.appended(eventid.ID{MS: math.MaxUint64})
	var text strings.Builder
	c.lags.WritePrometheus(&text)
	got := text.String()
	if !strings.Contains(got, "_sum 0\n") || !strings.Contains(got, "_count 1\n") {
		t.Errorf("an event of the far future:\n%s", got)
	}
}
