{#-
    Incremental builds. What is done with each relation is decided, and written down as SQL, by pipelines/increment.py:
    the variable `increment` holds a step for each relation that is made in part; those that stay are no part of the build.
    A relation without a step is made anew.
-#}
{% macro increment_step(relation) -%}
    {{ return(var('increment', {}).get(relation.identifier)) }}
{%- endmacro %}

{#- Whether it turns out only now that the relation has to be made anew. -#}
{% macro is_anew(step) -%}
    {{ return(step.anew_if != '' and run_query(step.anew_if).columns[0].values()[0]) }}
{%- endmacro %}

{#- The model's own SQL, reading other relations in the place of its own. -#}
{% macro read_instead(replacements) -%}
    {%- set ns = namespace(sql=compiled_code) -%}
    {%- for relation, other in replacements.items() -%}
        {%- set ns.sql = ns.sql | replace(relation, other) -%}
    {%- endfor -%}
    {{ return(ns.sql) }}
{%- endmacro %}

{% macro take_step(target, step) %}
    {% call statement('main') -%}
        {{
            step.script
            | replace('{after}', read_instead(step.after))
            | replace('{before}', read_instead(step.before))
            | replace('{whole}', compiled_code)
        }}
    {%- endcall %}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmacro %}
