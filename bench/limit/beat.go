package limit

import "time"

const (
	// beatsPerInterval is how many batches the heartbeats of an interval are sent in.
	beatsPerInterval = 128
	heartbeatMin     = 10 * time.Millisecond
)

var heartbeat = []byte(":\n\n")

// beats is when the next batch of heartbeats is due, and for whom. The batches go through the descriptors and not
// through the topics' lists: a descriptor keeps its place as long as the stream lives, so that none is left out and
// none is sent to twice when others come and go.
type beats struct {
	interval time.Duration // 0: none
	due      time.Time     // of the next batch
	sent     int           // batches of this interval
	next     int           // descriptor after those of the last batch
}

func (b *beats) begin(now time.Time, interval time.Duration) {
	b.interval, b.due = interval, now.Add(interval/beatsPerInterval)
}

// milliseconds is how long the thread may wait, rounded up, or it would spin through the last of them.
func (b *beats) milliseconds() int {
	if b.interval == 0 {
		return -1
	}
	return int(max(0, (time.Until(b.due)+time.Millisecond-1)/time.Millisecond))
}

// beat sends a batch if one is due. One that is late does not put off those after it.
func (t *thread) beat() {
	b := &t.beats
	if b.interval == 0 || time.Until(b.due) > 0 {
		return
	}
	b.due = b.due.Add(b.interval / beatsPerInterval)
	b.sent++
	for end := len(t.seats) * b.sent / beatsPerInterval; b.next < end; b.next++ {
		if t.seats[b.next].place <= 0 {
			continue
		}
		fd := int32(b.next)
		if n, errno := send(fd, heartbeat); n != len(heartbeat) {
			t.drop(fd, errno)
		}
	}
	if b.sent == beatsPerInterval {
		b.sent, b.next = 0, 0
	}
}
