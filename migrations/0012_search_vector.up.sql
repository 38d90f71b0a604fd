-- Search by Russian stems and by exact words. Each table is rewritten once: the column is dropped and added in one
-- statement, and the GIN indexes, which go with the column, are built on the rewritten table.
ALTER TABLE public.connection
    DROP COLUMN search_vector,
    ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (
        to_tsvector('russian'::regconfig, coalesce(name, ''))
        || to_tsvector('simple'::regconfig, coalesce(name, ''))
        || to_tsvector('simple'::regconfig, translate(coalesce(name, ''), './-_:\', '      '))
        || to_tsvector('simple'::regconfig, coalesce(data ->> 'host', ''))
        || to_tsvector('simple'::regconfig, translate(coalesce(data ->> 'host', ''), './-_:\', '      '))
    ) STORED NOT NULL;

CREATE INDEX idx_connection_search_vector ON public.connection USING gin (search_vector);

ALTER TABLE public."group"
    DROP COLUMN search_vector,
    ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (
        to_tsvector('russian'::regconfig, coalesce(name, ''))
        || to_tsvector('simple'::regconfig, coalesce(name, ''))
        || to_tsvector('simple'::regconfig, translate(coalesce(name, ''), './-_:\', '      '))
    ) STORED NOT NULL;

ALTER TABLE public.queue
    DROP COLUMN search_vector,
    ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (
        to_tsvector('russian'::regconfig, coalesce(name, ''))
        || to_tsvector('simple'::regconfig, coalesce(name, ''))
        || to_tsvector('simple'::regconfig, translate(coalesce(name, ''), './-_:\', '      '))
    ) STORED NOT NULL;

ALTER TABLE public.transfer
    DROP COLUMN search_vector,
    ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (
        to_tsvector('russian'::regconfig, coalesce(name, ''))
        || to_tsvector('simple'::regconfig, coalesce(name, ''))
        || to_tsvector('simple'::regconfig, translate(coalesce(name, ''), './-_:\', '      '))
        || to_tsvector('simple'::regconfig, coalesce(source_params ->> 'table_name', ''))
        || to_tsvector('simple'::regconfig, coalesce(target_params ->> 'table_name', ''))
        || to_tsvector('simple'::regconfig, translate(coalesce(source_params ->> 'table_name', ''), './-_:\', '      '))
        || to_tsvector('simple'::regconfig, translate(coalesce(target_params ->> 'table_name', ''), './-_:\', '      '))
        || to_tsvector('simple'::regconfig, coalesce(source_params ->> 'directory_path', ''))
        || to_tsvector('simple'::regconfig, coalesce(target_params ->> 'directory_path', ''))
        || to_tsvector('simple'::regconfig, translate(coalesce(source_params ->> 'directory_path', ''), './-_:\', '      '))
        || to_tsvector('simple'::regconfig, translate(coalesce(target_params ->> 'directory_path', ''), './-_:\', '      '))
    ) STORED NOT NULL;

CREATE INDEX idx_transfer_search_vector ON public.transfer USING gin (search_vector);
