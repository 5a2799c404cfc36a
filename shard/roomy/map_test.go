package roomy

import "testing"

func TestAMapThatShrinksKeepsWhatIsInIt(t *testing.T) {
	m, peak, copies := map[int]int{}, 0, 0
	for i := range 5000 {
		m[i], peak = i, i+1
	}
	for i := range 4990 {
		delete(m, i)
		was := peak
		if m = Shrunk(m, &peak); peak != was {
			copies++
		}
	}
	if copies != 2 || len(m) != 10 || m[4995] != 4995 { // at 1250 of 5000, at 312 of 1250
		t.Errorf("%d copies, %d elements are left: %v", copies, len(m), m)
	}
}
