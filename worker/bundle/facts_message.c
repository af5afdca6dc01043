/* facts_message.c: what is not known stays empty. */
#include "facts_message.h"

static void tool_fill(const struct facts_tool *from, Rota__BuildTool *tool)
{
    rota__build_tool__init(tool);
    tool->name = (char *)from->name;
    tool->version = (char *)from->version;
    if (from->has_sha256)
        tool->sha256 = (ProtobufCBinaryData){FACTS_HASH_BYTES, (uint8_t *)from->sha256};
}

void facts_fill(const struct facts *f, struct facts_message *m)
{
    rota__build_facts__init(&m->facts);
    m->facts.source_uri = (char *)f->source_uri;
    m->facts.source_commit = (char *)f->source_commit;
    m->facts.lockfile = (char *)f->lockfile;
    if (f->lockfile[0])
        m->facts.lockfile_sha256 =
            (ProtobufCBinaryData){FACTS_HASH_BYTES, (uint8_t *)f->lockfile_sha256};
    for (size_t i = 0; i < f->tools; i++) {
        tool_fill(&f->tool[i], &m->tool[i]);
        m->tools[i] = &m->tool[i];
    }
    m->facts.tool = m->tools;
    m->facts.n_tool = f->tools;
    m->facts.started_ms = f->started_ms;
    m->facts.finished_ms = f->finished_ms;
}
