// Never comes back: only the job's timeout ends this.
for (;;) {}
