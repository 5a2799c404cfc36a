package topic

import (
	"hash/crc32"
	"sync"

	"ssedge/proto/eventid"
)

// floors is how many parts there are of all names that there may be, each with its floor. Which
// part a name is in does not differ between processes, so that a table can be saved and loaded.
const floors = 256

// floor is at or above every id ever given to a forgotten topic of its part: a topic that comes
// back begins there, so that an id is never given twice and a position from before is known to be
// unprovable. It is raised and read with the lock of the topic's stripe held.
type floor struct {
	mu sync.Mutex
	id eventid.ID
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func floorOf(name []byte) uint32 { return crc32.Checksum(name, castagnoli) % floors }

func (t *Table) floor(name []byte) *floor { return &t.floors[floorOf(name)] }

func (f *floor) get() eventid.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.id
}

func (f *floor) raise(to eventid.ID) {
	f.mu.Lock()
	f.id = eventid.Max(f.id, to)
	f.mu.Unlock()
}
