# The panel's lines: one simulated GPIO chip labelled "panel", with names by offset. A
# button is pressed by a change of its line's pull (lab/vm.Machine).
c=/sys/kernel/config/gpio-sim/panel
mkdir -p $c/bank0
echo 16 >$c/bank0/num_lines
echo panel >$c/bank0/label
i=0
for name in BTN_CALL BTN_CALL2 BTN_HANGUP DOOR_SENSE RELAY_DOOR RELAY_GATE LED_STATUS LIGHT EXIT_DOOR EXIT_GATE GATE_SENSE CASE; do
	mkdir $c/bank0/line$i
	echo $name >$c/bank0/line$i/name
	i=$((i + 1))
done
echo 1 >$c/live
