import {useState} from 'react';
import {Image, Pressable, Text, View} from 'react-native';

import {Trail} from './src/trail';

const trail = new Trail(['ford', 'ridge', 'hut']);

export default function App() {
  const [legs, setLegs] = useState(0);
  return (
    <View>
      <Image source={require('./assets/wheel.png')} />
      <Pressable onPress={() => setLegs(legs + 1)}>
        <Text>Next: {trail.after(legs)}</Text>
      </Pressable>
    </View>
  );
}
