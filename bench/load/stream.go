package load

type phase uint8

const (
	closed phase = iota // never opened, dropped by us, ended by the server, or failed
	connecting
	awaitingHead
	streaming
)

// What a stream has been through, for the verdict.
const (
	wasOpen = 1 << iota
	endedByServer
	gotDuplicate
	gotLate
	gotUnsorted
	gotDamaged
	gotOthers // an event of a topic that is not its own
	toldOfGap
)

// stream is all the client keeps of a stream.
type stream struct {
	sequence           // of the first lane; those of others are in the loop's table
	received  uint32   // different events
	id        position // of the last event
	fd        int32
	number    int32  // among all streams of the crowd: what its topic is made from
	heldID    uint32 // of its last id, in the loop's table; 0: none
	chunkLeft uint32 // bytes of the body's chunk that are still to come
	phase     phase
	body      framing
	history   uint8 // what it has been through
	cut       bool  // an event that is not whole waits in the loop's table
	slow      bool
	settled   bool  // has been open, or failed
	dribbles  bool  // is in the loop's list
	beats     uint8 // heartbeats since they were last counted, at most 255
}

// sequence knows which of one publisher's numbers have come, exactly for the last 64 of them.
type sequence struct {
	window uint64 // bit k: high-k has come
	high   uint32 // highest number yet
}

type order uint8

const (
	inOrder order = iota
	late          // after a higher one
	duplicate
)

func (q *sequence) take(seq uint32) order {
	if seq > q.high {
		if shift := seq - q.high; shift < 64 {
			q.window <<= shift
		} else {
			q.window = 0
		}
		q.window |= 1
		q.high = seq
		return inOrder
	}
	back := q.high - seq
	if back >= 64 || q.window>>back&1 == 1 {
		return duplicate
	}
	q.window |= 1 << back
	return late
}
