"""Every claim of docs/performance.md, measured in one run and printed as one table.

python -m benchmarks --quick
python -m benchmarks --only export-sqlite --only export-postgresql
"""

from benchmarks import (
    attachments,
    backup,
    copy,
    dev_db,
    embeddings,
    export_folder,
    export_html,
    export_parquet,
    export_pdf,
    export_postgresql,
    export_sqlite,
    import_again,
    import_layout,
    import_postgresql,
    import_sqlite,
    list_pages,
    meaning,
    migrate_noop,
    read_chatgpt,
    restore,
    search,
    seed,
    start_up,
    stats,
    status,
)
from benchmarks.measure import run_alone

CLAIMS = (
    *import_postgresql.CLAIMS,
    *import_sqlite.CLAIMS,
    *import_again.CLAIMS,
    *import_layout.CLAIMS,
    *export_postgresql.CLAIMS,
    *export_sqlite.CLAIMS,
    *export_folder.CLAIMS,
    *export_html.CLAIMS,
    *export_parquet.CLAIMS,
    *export_pdf.CLAIMS,
    *embeddings.CLAIMS,
    *read_chatgpt.CLAIMS,
    *start_up.CLAIMS,
    *migrate_noop.CLAIMS,
    *list_pages.CLAIMS,
    *search.CLAIMS,
    *meaning.CLAIMS,
    *dev_db.CLAIMS,
    *seed.CLAIMS,
    *copy.CLAIMS,
    *status.CLAIMS,
    *stats.CLAIMS,
    *restore.CLAIMS,
    *backup.CLAIMS,
    *attachments.CLAIMS,
)

if __name__ == "__main__":
    run_alone(CLAIMS)
