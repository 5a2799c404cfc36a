package result

import (
	"math"
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "", "0"}, {12, "", "12"}, {1234567, PerSecond, "1,234,567 /s"}, {-1234, "", "-1,234"},
		{0.4567, Milliseconds, "0.457 ms"}, {9.999, Microseconds, "10.00 us"},
		{12.34, Microseconds, "12.3 us"}, {123.4, Milliseconds, "123 ms"},
		{0.00012, Seconds, "0.000120 s"}, {1.0449, Times, "1.04 ×"}, {87, Percent, "87 %"},
		{69, Bytes, "69 B"}, {1024, Bytes, "1 KiB"}, {1536, Bytes, "1.50 KiB"},
		{3 << 30, Bytes, "3 GiB"}, {-2048, Bytes, "-2 KiB"},
	} {
		if got := Format(c.value, c.unit); got != c.want {
			t.Errorf("%v %q: expected %q, found %q", c.value, c.unit, c.want, got)
		}
	}
}

func TestExpectations(t *testing.T) {
	r := Result{Scenario: "fanout"}
	r.Add("p99", 42, Milliseconds, "")
	r.Add("p99.9", 900, Microseconds, "")
	r.Add("lost", 0, "", "")
	r.Add("pss", 3<<20, Bytes, "")
	r.Add("ratio", 0.9, Times, "")
	r.Add("none", math.NaN(), "", "")
	for text, want := range map[string]bool{
		"p99<50ms": true, "p99 <= 42ms": true, "p99<42ms": false, "p99>41ms": true,
		"p99>=43ms": false, "p99<0.05s": true, "p99<42000us": false,
		"p99<50": false, "p99.9<1ms": true, "p99.9=900us": true, "p99.9=0.9ms": true,
		"lost=0": true, "lost>0": false, "pss<4MiB": true, "pss<3MiB": false, "pss<3146KB": true,
		"pss<3145KB": false, "pss<3.146MB": true,
		"ratio<1x": true, "ratio<=0.8": false,
	} {
		e, err := ParseExpectation(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if err := e.Check(&r); (err == nil) != want {
			t.Errorf("%q: expected %v, found %v", text, want, err)
		}
	}
	for text, says := range map[string]string{"p98<1ms": "p99.9", "lost<1ms": "ms",
		"p99<50": "write p99<50ms", "slab_TCP<1B": "no figure slab_TCP", "p99<3MB": "MB",
		"none<1": "no figure none"} {
		e, err := ParseExpectation(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if err := e.Check(&r); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: expected an error about %q, found %v", text, says, err)
		}
	}
	for _, text := range []string{"", "p99", "p99<", "<5ms", "p99<five", "p99<5m", "p99<1.2.3",
		"p99!=5", "p99<5ms "} {
		if _, err := ParseExpectation(text); (err == nil) != (text == "p99<5ms ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSpreadAndRatio(t *testing.T) {
	if s := SpreadOf([]float64{3, 1, 2}); s != (Spread{2, 1, 3}) {
		t.Errorf("found %+v", s)
	}
	if s := Ratio([]float64{2, 4, 9}, []float64{1, 4, 3}); s != (Spread{4. / 3, 1, 3}) {
		t.Errorf("found %+v", s)
	}
	if text := SpreadOf(nil).Text(PerSecond); text != "–" {
		t.Errorf("found %q", text)
	}
	nan := math.NaN()
	if s := SpreadOf([]float64{nan, 3, nan, 1}); s != (Spread{2, 1, 3}) {
		t.Errorf("found %+v", s)
	}
	if s := Ratio([]float64{2, nan, 8}, []float64{1, 4, 2}); s != (Spread{5. / 2, 2, 4}) {
		t.Errorf("rounds belong together: found %+v", s)
	}
}

func TestTheCommandIsWrittenDownWithoutSecretsAndPlaces(t *testing.T) {
	got := strings.Join(
		quoted([]string{"bench", "fanout", "--header", "Authorization: Bearer s1",
			"--publish-header=X-Key: s2", "--subscribe=http://h/{topic}?a=b&c", "--report",
			"/home/me/out", "--json=/home/me/x.json"}), " ")
	want := `bench fanout --header … --publish-header=… '--subscribe=http://h/{topic}?a=b&c' --report out --json=x.json`
	if got != want {
		t.Errorf("expected %s\nfound    %s", want, got)
	}
}
