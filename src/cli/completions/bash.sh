# Completion of etcd-scale in bash.
_etcd_scale() {
    # Bash takes words apart at = : and @ too, which names of contexts have in them. What touches is put together again,
    # up to the cursor; of an answer, bash wants what follows its own last part.
    local words=() index=-1 rest=$COMP_LINE ahead word behind answer i
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word=${COMP_WORDS[i]}
        ahead=${rest%%[![:blank:]]*}
        if [[ -n $word ]]; then rest=${rest#"$ahead$word"}; fi
        if [[ $i -eq 0 || -n $ahead ]]; then
            words+=("$word")
        elif [[ ${#words[@]} -ne $((index + 1)) || $i -eq $COMP_CWORD ]]; then
            words[${#words[@]} - 1]+=$word
        fi
        if [[ $i -eq $COMP_CWORD ]]; then
            index=$((${#words[@]} - 1))
            behind=$((${#COMP_LINE} - ${#rest} - COMP_POINT))
            word=${words[index]}
            if ((behind > 0)); then word=${word:0:${#word} - behind}; fi
            words[index]=${word#[\"\']}
        fi
    done
    word=${words[index]}
    COMPREPLY=()
    if [[ $word == \~* ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    while IFS= read -r answer; do
        COMPREPLY+=("${answer#"${word%"$2"}"}")
    done < <(VARIABLE=bash _CLAP_COMPLETE_INDEX=$index _CLAP_IFS=$'\n' COMPLETER -- "${words[@]}" && echo)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then compopt -o nospace 2>/dev/null; fi
}
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
    complete -o nosort -F _etcd_scale etcd-scale
else
    complete -F _etcd_scale etcd-scale
fi
