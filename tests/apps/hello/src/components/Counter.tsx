import React from 'react';
import {Pressable, StyleSheet, Text} from 'react-native';

type Props = {
  label: string;
  value: number;
  onPress: () => void;
};

export function Counter({label, value, onPress}: Props): React.JSX.Element {
  return (
    <Pressable
      accessibilityRole="button"
      onPress={onPress}
      style={({pressed}) => [styles.button, pressed && styles.pressed]}>
      <Text style={styles.text}>
        {label} ({value})
      </Text>
    </Pressable>
  );
}

const styles = StyleSheet.create({
  button: {marginTop: 24, paddingVertical: 12, paddingHorizontal: 20, borderRadius: 8, backgroundColor: '#2a6f6b'},
  pressed: {opacity: 0.7},
  text: {color: '#ffffff', fontSize: 16},
});
