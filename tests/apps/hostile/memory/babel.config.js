// Takes memory until there is none.
const kept = [];
for (;;) {
  kept.push(new Array(100000).fill(kept.length));
}
