-- Runs are single executions of a transfer.
CREATE TABLE public.run (
    id bigserial NOT NULL,
    transfer_id bigint NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    status varchar(255) NOT NULL,
    type varchar(64) NOT NULL,
    log_url varchar(512),
    transfer_dump json NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk__run PRIMARY KEY (id),
    CONSTRAINT fk__run__transfer_id__transfer FOREIGN KEY (transfer_id) REFERENCES public.transfer (id) ON DELETE CASCADE
);

CREATE INDEX ix__run__status ON public.run (status);

CREATE INDEX ix__run__transfer_id ON public.run (transfer_id);

CREATE INDEX ix__run__type ON public.run (type);
