package load

// idTable keeps the text of the ids that streams hold, once for all streams that hold the same.
type idTable struct {
	at      map[string]uint32
	entries []idEntry // [0] stands for none
	free    []uint32
	last    uint32 // the one looked up last: in a broadcast all streams get the same
}

type idEntry struct {
	text   string
	holder int
}

func newIDTable() *idTable {
	return &idTable{at: make(map[string]uint32), entries: make([]idEntry, 1)}
}

// hold makes id the one that *held stands for.
func (t *idTable) hold(held *uint32, id []byte) {
	if *held != 0 && t.entries[*held].text == string(id) {
		return
	}
	next := t.last
	if next == 0 || t.entries[next].text != string(id) {
		var known bool
		if next, known = t.at[string(id)]; !known {
			next = t.add(string(id))
		}
	}
	t.entries[next].holder++
	t.release(*held)
	*held, t.last = next, next
}

func (t *idTable) add(id string) uint32 {
	var at uint32
	if n := len(t.free); n > 0 {
		at, t.free = t.free[n-1], t.free[:n-1]
		t.entries[at] = idEntry{text: id}
	} else {
		at = uint32(len(t.entries))
		t.entries = append(t.entries, idEntry{text: id})
	}
	t.at[id] = at
	return at
}

func (t *idTable) release(held uint32) {
	if held == 0 {
		return
	}
	e := &t.entries[held]
	if e.holder--; e.holder > 0 {
		return
	}
	delete(t.at, e.text)
	*e = idEntry{}
	t.free = append(t.free, held)
	if t.last == held {
		t.last = 0
	}
}

func (t *idTable) text(held uint32) string { return t.entries[held].text }
