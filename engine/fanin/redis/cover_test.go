package redis

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestUncoveredSlots(t *testing.T) {
	var table slotTable
	for slot := range table.owners {
		table.owners[slot] = 1
	}
	if n, _ := table.uncovered(); n != 0 {
		t.Errorf("%d slots of a whole cluster are not covered", n)
	}
	table.owners[0], table.owners[16383] = 0, 0
	if n, first := table.uncovered(); n != 2 || first != 0 {
		t.Errorf("found %d, the first is %d", n, first)
	}
}

// Only a server's own line says which slots leave it.
func TestSlotsThatAreOnTheirWay(t *testing.T) {
	leaving := map[uint16]bool{}
	addMigrating(leaving, strings.Join([]string{
		"07c3 127.0.0.1:30004@31004,host slave e7d1 0 1426238317239 4 connected",
		"e7d1 127.0.0.1:30001@31001,host myself,master - 0 0 1 connected 0-5460 9000 [93->-292f] [16383->-292f] [77-<-292f]",
		"292f 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-8999 [94->-e7d1]", "",
	}, "\n"))
	if got := slices.Sorted(maps.Keys(leaving)); !slices.Equal(got, []uint16{93, 16383}) {
		t.Errorf("found %v", got)
	}
}
