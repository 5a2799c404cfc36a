package redis

import (
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// Readings that are queued at a master whose node ends are not forgotten with it, and nothing is
// queued there any more.
func TestHistoryReadsOutliveTheirNode(t *testing.T) {
	f := followed(t)
	f.node = newNode(f.source, "gone", "probe", nil)
	got := make(chan []log.Older, 1)
	w := newHistoryRead(f, eventid.After(id(50)), 1, func(events []log.Older) { got <- events })
	w.enqueue()
	gone := f.node
	if len(gone.fetches.history.same) != 1 {
		t.Fatal("it is not queued")
	}
	gone.fetches.close()
	if gone.fetches.addHistoryRead(w) {
		t.Error("one was queued where nothing takes it")
	}
	f.mu.Lock()
	f.node = f.source.only
	f.mu.Unlock()
	<-f.source.only.fetches.wake
	reads, _ := f.source.only.fetches.takeHistoryReads(time.Now())
	if len(reads) != 1 {
		t.Fatalf("%d are queued at the other one", len(reads))
	}
	reads[0].answer(elements(60, 50))
	if events := <-got; len(events) != 1 || events[0].ID != id(60) {
		t.Errorf("found %v", events)
	}
}

// What was read while the log was being held against another history may be of either: it is given
// to no stream, and read again.
func TestNothingIsGivenWhileHistoriesAreCompared(t *testing.T) {
	f := followed(t)
	f.node = f.source.only
	again := make(chan func(), 1)
	f.source.times = retold{&f.source.clock, again}
	got := 0
	w := newHistoryRead(f, eventid.After(id(50)), 1, func([]log.Older) { got++ })
	f.receive(message(120, 90)) // it is of another history
	r, _ := f.next(f.node)
	r.answer(elements(120, 90))
	w.answer(elements(60, 50))
	if got != 0 {
		t.Fatal("it was given to the stream")
	}
	(<-again)()
	if len(f.source.only.fetches.history.same) != 1 {
		t.Error("it is not read again")
	}
	for r, ok := f.next(f.node); ok; r, ok = f.next(f.node) {
		r.answer(elements(120, 90))
	}
	w.answer(elements(60, 50))
	if got != 1 {
		t.Error("it was not given to the stream when the histories had been compared")
	}
}

// newHistoryRead is a read for one stream of a client.
func newHistoryRead(
	f *follower, from eventid.Position, client uint64, got func([]log.Older),
) *historyRead {
	r := topic.Reading{From: from, Client: client, Wanted: func() bool { return true }, Got: got}
	return &historyRead{follower: f, from: from, readers: []topic.Reading{r}}
}

// retold are times that hand over what is to be done later.
type retold struct {
	*clock
	later chan func()
}

func (r retold) after(_ time.Duration, f func()) { r.later <- f }

// A shared channel that was lost before its subscription was noted is not taken for subscribed.
func TestASharedChannelIsLostAtOnce(t *testing.T) {
	f := followed(t)
	s := f.source
	s.config.FanIn = ByPartition
	s.names = newNames(
		&Config{Settings: Settings{Shared: Shared{FanIn: ByPartition, Partitions: 4}}})
	s.refresh = make(chan struct{}, 1)
	n := s.only
	n.shared = map[string]struct{}{}
	group := []wanted{{s.names.subscription("x"), []joining{{f, f.feed.Epoch()}}}}
	n.subscribed(group, 0)
	if !n.has(group[0].channel) {
		t.Fatal("it is not noted")
	}
	delete(n.shared, group[0].channel)
	n.losses++
	n.subscribed(group, 0)
	if n.has(group[0].channel) || len(s.strays.take()) != 1 {
		t.Error("it is taken for subscribed")
	}
}
