-- Membership of users in groups, with their role.
CREATE TABLE public.user_group (
    user_id bigint NOT NULL,
    group_id bigint NOT NULL,
    role varchar(255) NOT NULL,
    CONSTRAINT pk__user_group PRIMARY KEY (user_id, group_id),
    CONSTRAINT fk__user_group__group_id__group FOREIGN KEY (group_id) REFERENCES public."group" (id) ON DELETE CASCADE,
    CONSTRAINT fk__user_group__user_id__user FOREIGN KEY (user_id) REFERENCES public."user" (id) ON DELETE CASCADE
);

CREATE INDEX ix__user_group__group_id ON public.user_group (group_id);

CREATE INDEX ix__user_group__user_id ON public.user_group (user_id);
