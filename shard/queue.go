package shard

// queue is the states that wait for their pass, the first to come at first.
type queue struct {
	waiting []uint32
	first   int // of waiting; what stands before it has been taken
}

// queueSlack is how many taken elements are kept before the others move up.
const queueSlack = 1024

func (q *queue) len() int { return len(q.waiting) - q.first }

func (q *queue) push(n uint32) { q.waiting = append(q.waiting, n) }

// pop takes the first; there must be one. Moving up costs each element at most once
// for each other that was taken.
func (q *queue) pop() uint32 {
	n := q.waiting[q.first]
	q.first++
	switch {
	case q.first == len(q.waiting):
		q.waiting, q.first = q.waiting[:0], 0
	case q.first >= queueSlack && 2*q.first >= len(q.waiting):
		q.waiting, q.first = append(q.waiting[:0], q.waiting[q.first:]...), 0
	}
	return n
}
