package shard

// budget is what a part of a turn may still spend.
type budget struct {
	sends   int
	charged uint64 // Shard.sends, as far as they were charged
	looks   int    // at topics and at subscribers that cost no send
	until   int64  // nanotime
}

const (
	timeEvery    = 16 // sends between two readings of the clock
	looksPerSend = 64 // looks that are charged like a send: each may miss the caches
)

func (s *Shard) newBudget() budget {
	return budget{sends: s.config.TurnSends, charged: s.sends,
		until: s.clock() + int64(s.config.TurnTime)}
}

// spend charges a look and the sends that have followed it since the last charge. It
// reports whether anything is left.
func (b *budget) spend(s *Shard) bool {
	made := int(s.sends - b.charged)
	b.charged = s.sends
	if made == 0 {
		if b.looks++; b.looks%looksPerSend != 0 {
			return true
		}
		made = 1
	}
	before := b.sends
	b.sends -= made
	if before/timeEvery != b.sends/timeEvery && s.clock() > b.until {
		b.sends = 0
	}
	return b.sends > 0
}
