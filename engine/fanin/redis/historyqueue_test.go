package redis

import (
	"testing"
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
)

// newHistoryQueue is a queue with a rate, and a feed to read for.
func newHistoryQueue(t *testing.T, rate int) (*historyQueue, *follower) {
	f := followed(t)
	f.node = f.source.only
	return &historyQueue{rate: rate, counts: &f.source.counts}, f
}

func ignore([]log.Older) {}

// Streams that want the same are all answered by one reading, whichever clients they are of, and
// also those whose reading failed.
func TestStreamsShareAReading(t *testing.T) {
	q, f := newHistoryQueue(t, 10)
	got := [6]int{}
	for i := range got {
		q.add(newHistoryRead(f, eventid.After(id(50)), uint64(i%3), func([]log.Older) { got[i]++ }))
	}
	q.add(newHistoryRead(f, eventid.After(id(51)), 1, ignore))
	q.add(newHistoryRead(f, eventid.At(50), 1, ignore))
	batch, _ := q.take(100, time.Now())
	if len(batch) != 3 {
		t.Fatalf("%d readings, expected 3", len(batch))
	}
	if again, _ := q.take(100, time.Now()); len(again) != 0 {
		t.Errorf("read twice: %d", len(again))
	}
	for _, w := range batch {
		q.add(w) // the servers did not answer
	}
	q.add(newHistoryRead(f, eventid.After(id(50)), 9, ignore))
	if batch, _ = q.take(100, time.Now()); len(batch) != 3 {
		t.Fatalf("%d readings the second time, expected 3", len(batch))
	}
	for _, w := range batch {
		if w.from == eventid.After(id(50)) {
			w.answer(elements(60, 50))
		}
	}
	if got != [6]int{1, 1, 1, 1, 1, 1} {
		t.Errorf("answers to each stream: %v", got)
	}
	if n := f.source.counts.shared.Load(); n != 6 {
		t.Errorf("%d shared, expected 5 and 1", n)
	}
}

// A wait is counted once, however often the queue is looked at; and clients that want nothing more
// are forgotten, though others wait.
func TestWaitsAreCountedOnce(t *testing.T) {
	q, f := newHistoryQueue(t, 1)
	now := time.Now()
	for k := range 3 {
		q.add(newHistoryRead(f, eventid.After(id(uint64(k))), 1, ignore))
	}
	q.take(100, now)
	for range 10 {
		q.take(100, now)
	}
	if n := f.source.counts.paced.Load(); n != 1 {
		t.Errorf("%d waits, expected 1", n)
	}
	for k := range uint64(10 * linesKept) {
		q.add(newHistoryRead(f, eventid.At(k), 100+k, ignore))
		q.take(1, now)
	}
	q.take(1, now.Add(1500*time.Millisecond))
	if len(q.lines) > 3*linesKept {
		t.Errorf("%d lines are kept", len(q.lines))
	}
}

// No client has more readings than the rate and a second's savings allow, however it asks, and the
// others have theirs at once.
func TestAClientHasItsShareOfReadings(t *testing.T) {
	const rate = 10
	q, f := newHistoryQueue(t, rate)
	now, n := time.Now(), uint64(1)
	ask := func(client uint64) {
		n++
		q.add(newHistoryRead(f, eventid.After(id(n)), client, ignore))
	}
	for range 1000 {
		ask(1)
	}
	read := map[uint64]int{}
	for range 100 { // ten seconds
		for client := range uint64(4) { // 0 is an unknown client
			if client != 1 {
				ask(client)
			}
		}
		ask(1)
		for {
			batch, wait := q.take(3, now)
			for _, w := range batch {
				read[w.readers[0].Client]++
			}
			if wait > time.Second/rate {
				t.Fatalf("the next one comes after %v", wait)
			}
			if len(batch) == 0 {
				break
			}
		}
		now = now.Add(100 * time.Millisecond)
	}
	if max := rate*10 + rate + 1; read[1] > max || read[1] < max-2 {
		t.Errorf("%d readings for one client, expected %d", read[1], max)
	}
	for _, client := range []uint64{0, 2, 3} {
		if read[client] != 100 {
			t.Errorf("%d of 100 readings for client %d", read[client], client)
		}
	}
	if f.source.counts.paced.Load() == 0 {
		t.Error("not counted")
	}
}

// What another client waits for at its own pace is not late for a client that has readings left.
func TestASharedReadingGoesAtTheFasterPace(t *testing.T) {
	q, f := newHistoryQueue(t, 1)
	now := time.Now()
	for n := range uint64(100) {
		q.add(newHistoryRead(f, eventid.After(id(n)), 1, ignore))
	}
	q.take(100, now)
	q.add(newHistoryRead(f, eventid.After(id(99)), 2, ignore))
	batch, _ := q.take(100, now)
	if len(batch) != 1 || batch[0].from != eventid.After(id(99)) || len(batch[0].readers) != 2 {
		t.Errorf("read for the other client: %d", len(batch))
	}
}

// Streams that have left cost no reading and no memory.
func TestStreamsThatLeftAreNotReadFor(t *testing.T) {
	q, f := newHistoryQueue(t, 10)
	now := time.Now()
	for client := range uint64(1000) {
		for n := range uint64(20) {
			w := newHistoryRead(f, eventid.After(id(client*100+n)), client+1, ignore)
			w.readers[0].Wanted = func() bool { return n == 0 }
			q.add(w)
		}
	}
	read := 0
	for range 10 {
		batch, _ := q.take(1000, now)
		read += len(batch)
		now = now.Add(time.Second)
	}
	if read != 1000 {
		t.Errorf("%d readings for a stream each of 1,000 clients", read)
	}
	if len(q.same) != 0 || len(q.lines) > linesKept {
		t.Errorf("%d reads and %d lines are kept", len(q.same), len(q.lines))
	}
}

// Of the earliest events one is read: it says where the stream begins, and what is sent is read
// behind it.
func TestOneEventSaysWhereAStreamBegins(t *testing.T) {
	_, f := newHistoryQueue(t, 10)
	earliest := newHistoryRead(f, eventid.Position{}, 1, ignore)
	if first, _, n := earliest.bounds(); first != "-" || n != 1 {
		t.Errorf("%d from %s", n, first)
	}
	behind := newHistoryRead(f, eventid.After(id(1)), 1, ignore)
	if _, _, n := behind.bounds(); n < historyReadEventsMin {
		t.Errorf("%d behind it", n)
	}
}
