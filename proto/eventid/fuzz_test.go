package eventid

import "testing"

func FuzzParse(f *testing.F) {
	for _, g := range goldenIDs {
		f.Add([]byte(g.text))
	}
	for _, s := range notIDs {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		if id, ok := Parse(s); ok && id.String() != string(s) {
			t.Errorf("Parse(%q) accepted, but is written %q", s, id)
		}
	})
}

func FuzzParsePosition(f *testing.F) {
	for _, g := range goldenPositions {
		f.Add([]byte(g.text))
	}
	for _, s := range notIDs {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		p, ok := ParsePosition(s)
		if ok && p.String() != string(s) {
			t.Errorf("ParsePosition(%q) accepted, but is written %q", s, p)
		}
		if id, isID := Parse(s); isID && (!ok || p != After(id)) {
			t.Errorf("%q is the id %v, but the position %v, %v", s, id, p, ok)
		}
	})
}

func FuzzParseVector(f *testing.F) {
	f.Add([]byte("1.z1"), uint32(testCheck), uint8(0))
	f.Add([]byte("1.z1.mdbexsvv-0.mdbexsvv.0-0"), uint32(testCheck), uint8(3))
	f.Add([]byte("1.0.1-0.2."), uint32(0), uint8(2))
	f.Add([]byte("1.1z141z3.3w5e11264sgsf-3w5e11264sgsf"), uint32(1<<32-1), uint8(1))
	f.Fuzz(func(t *testing.T, s []byte, check uint32, topics uint8) {
		// The exact check is out of a fuzzer's reach: put the right one in front
		// of its bytes as well.
		for _, v := range [][]byte{s, append(AppendVectorHeader(nil, check), s...)} {
			p, ok := ParseVector(v, check, make([]Position, topics))
			if !ok {
				continue
			}
			if got := appendVector(nil, check, p...); string(got) != string(v) {
				t.Errorf("ParseVector(%q) accepted, but is written %q", v, got)
			}
			if len(p) != int(topics) || len(v) > VectorBytesMax(int(topics)) {
				t.Errorf("ParseVector(%q) gave %d positions for %d topics, VectorBytesMax %d",
					v, len(p), topics, VectorBytesMax(int(topics)))
			}
		}
	})
}
