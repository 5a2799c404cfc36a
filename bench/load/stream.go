package load

type phase uint8

const (
	connecting phase = iota
	awaitingHead
	streaming
	ended // closed by us or by the server; the slot is not used again
)

// stream is all the client keeps of a stream.
type stream struct {
	scanner
	fd     int32
	number int32 // among all streams of the client: what its topic is made from
	phase  phase
	opened bool // has had its response head
}
