package baseline

import "time"

const (
	// beatsPerInterval is how many batches the heartbeats of an interval are sent in.
	beatsPerInterval = 128
	heartbeatMin     = 10 * time.Millisecond
)

var heartbeat = []byte(":\n\n")

// beats says when the next batch of heartbeats is due, and for which streams. The batches go
// through the descriptors and not through the topics' lists: a descriptor keeps its place as long
// as the stream lives, so that none is left out and none is sent to twice when others come and go.
type beats struct {
	timer int32 // timerfd that goes off when a batch is due; -1: no heartbeats
	sent  int   // batches of this interval
	next  int   // descriptor after those of the last batch
}

// beat sends a batch.
func (t *thread) beat() {
	b := &t.beats
	b.sent++
	for end := len(t.connections) * b.sent / beatsPerInterval; b.next < end; b.next++ {
		if t.connections[b.next].place <= 0 {
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
